/* A straight line through measurements [least squares], and how sure its slope is. */

/**
 * @param points [x, y]
 * @returns slope per x, and its standard error
 */
export function slopeOf(points) {
  const n = points.length;
  const mean = (index) => points.reduce((sum, point) => sum + point[index], 0) / n;
  const [x, y] = [mean(0), mean(1)];
  const spread = points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0);
  const slope = points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0) / spread;
  const left = points.reduce((sum, point) => sum + (point[1] - y - slope * (point[0] - x)) ** 2, 0);
  return { slope, error: Math.sqrt(left / (n - 2) / spread) };
}

/** Growth: a slope that is above what is allowed by more than its doubtful part. */
export const isGrowth = ({ slope, error }, allowed) => slope - 2 * error > allowed;
