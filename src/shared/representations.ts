import { badInput } from './errors.ts';

/**
 * Checks what a gateway asks `_entities` for: Federation itself answers a type that is no entity,
 * or a key that is no text, with a fault of ours.
 * @param entities the names of the types that may be asked for, each by its `id`
 * @throws BAD_USER_INPUT naming the place
 */
export function assertRepresentations(
  representations: readonly unknown[],
  entities: readonly string[],
): void {
  for (const [index, representation] of representations.entries()) {
    const { __typename, id } = Object(representation) as { __typename?: unknown; id?: unknown };
    if (typeof __typename !== 'string' || !entities.includes(__typename) || typeof id !== 'string') {
      throw badInput(
        `representations[${index}] must have the __typename of an entity (${entities.join(' or ')}) and its id.`,
      );
    }
  }
}
