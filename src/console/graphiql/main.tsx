import 'graphiql/setup-workers/vite';
import 'graphiql/style.css';
import './page.css';
import { GraphiQL } from 'graphiql';
import { type ExecutionResult, GraphQLError, parse, print } from 'graphql';
import { createRoot } from 'react-dom/client';
import { WelcomeDocument } from '../generated/documents.ts';
import { serverUrl } from '../shared/api.ts';

const url = serverUrl('graphql', '.');

const welcome = `# Most operations need a bearer token. Make one with
#   npm run -s token -- admin
# and give it as a header, below: { "authorization": "Bearer …" }

${print(parse(WelcomeDocument.toString()))}
`;

/** Errors that are no GraphQL answers, such as a proxy's, are told as one. */
async function answerOf(response: Response): Promise<ExecutionResult> {
  const body: unknown = await response.json().catch(() => null);
  if (isAnswer(body)) return body;
  return { errors: [new GraphQLError(`The server answered ${response.status}, and no GraphQL.`)] };
}

const isAnswer = (body: unknown): body is ExecutionResult =>
  typeof body === 'object' && body !== null && ('data' in body || 'errors' in body);

createRoot(document.getElementById('root') as HTMLElement).render(
  <GraphiQL
    defaultQuery={welcome}
    defaultEditorToolsVisibility="headers"
    fetcher={async (params, { headers } = {}) => {
      const answer = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(params),
      });
      return answerOf(answer);
    }}
  >
    <GraphiQL.Logo>
      <h1>Cufflink</h1>
    </GraphiQL.Logo>
  </GraphiQL>,
);
