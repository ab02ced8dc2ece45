import 'graphiql/setup-workers/vite';
import 'graphiql/style.css';
import './page.css';
import { GraphiQL } from 'graphiql';
import { createRoot } from 'react-dom/client';
import { serverUrl } from '../shared/api.ts';

const url = serverUrl('graphql', '.');

const welcome = `# Most operations need a bearer token. Make one with
#   npm run -s token -- admin
# and give it as a header, below: { "authorization": "Bearer …" }

{
  viewer {
    subject
    scopes
  }
}
`;

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
      return answer.json();
    }}
  />,
);
