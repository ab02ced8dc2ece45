# The server, in a container that needs nothing but its settings and may be read-only:
#   docker build -t cufflink . && docker run --read-only --cap-drop ALL --env-file .env -p 4000:4000 cufflink
# Migrating: docker run --rm --env-file .env cufflink node dist/src/commands/migrate.js

FROM node:24.21.0-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json rolldown.config.js codegen.yml vite.config.js ./
COPY schema schema
COPY src src
COPY migrations migrations
RUN npm run -s build

# Without what is optional: Node.js is in the image, and PostgreSQL runs elsewhere.
FROM node:24.21.0-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --omit=dev --omit=optional

FROM node:24.21.0-bookworm-slim
ENV NODE_ENV=production HOST=0.0.0.0
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json ./
# It may read its own code and write nowhere. The user is the image's `node`, by number: Kubernetes' runAsNonRoot asks for one.
USER 1000
EXPOSE 4000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 4000}/health/live`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "dist/server/main.js"]
