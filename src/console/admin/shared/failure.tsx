import { Component, type ReactNode } from 'react';
import styles from './shared.module.css';

/** A fault of the page itself. The rest of the console is a reload away. */
export class Failure extends Component<{ children: ReactNode }, { failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError() {
    return { failed: true };
  }

  override render() {
    if (!this.state.failed) return this.props.children;
    return (
      <main className={styles.problem} role="alert">
        <p className={styles.problemTitle}>This page has failed</p>
        <p className={styles.muted}>Nothing was saved by that. Load it again; you stay signed in.</p>
        <button type="button" onClick={() => location.reload()}>
          Load it again
        </button>
      </main>
    );
  }
}
