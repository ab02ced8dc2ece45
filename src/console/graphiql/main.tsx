import 'graphiql/setup-workers/vite';
import 'graphiql/style.css';
import { GraphiQL } from 'graphiql';
import { createRoot } from 'react-dom/client';
import { serverUrl } from '../shared/api.ts';

const url = serverUrl('graphql', '.');

createRoot(document.getElementById('root') as HTMLElement).render(
  <GraphiQL
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
