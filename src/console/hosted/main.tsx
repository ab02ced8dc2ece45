import { firstToken, takeToken } from './token.ts';
import './styles.css';
import { createRoot } from 'react-dom/client';
import { App } from './app.tsx';

const root = createRoot(document.getElementById('root') as HTMLElement);
let opened = 0;
const open = (token: string | null): void => root.render(<App key={opened++} token={token} />);

open(firstToken);
// Another step's address in the same tab changes the fragment only.
addEventListener('hashchange', () => {
  if (location.hash !== '') open(takeToken());
});
