import { Button, PasswordInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { useWrite } from '../api/use-write.ts';
import { Loaded } from '../shared/loaded.tsx';
import { Notice } from '../shared/notice.tsx';
import { developmentToken, type SignInSettings, settingsQuery } from './settings.ts';
import styles from './sign-in.module.css';
import { signIn } from './token-store.ts';

/** Whatever the server offers to sign in with. */
export function SignInWays() {
  const settings = useQuery(settingsQuery());
  return (
    <Loaded query={settings} lines={5}>
      {(way) => (
        <>
          {way.kind === 'oidc' && <WithIssuer settings={way} />}
          {way.kind === 'development' && <WithRole roles={way.roles} />}
          {way.kind === 'token' && (
            <p className={styles.muted}>
              No issuer is set up for this console (OIDC_CLIENT_ID). A bearer token of the issuer that the
              server accepts opens it, too.
            </p>
          )}
          {way.kind !== 'oidc' && <WithToken open={way.kind === 'token'} />}
        </>
      )}
    </Loaded>
  );
}

function WithIssuer({ settings }: { settings: Extract<SignInSettings, { kind: 'oidc' }> }) {
  const going = useWrite({
    mutationFn: async () => {
      const { beginSignIn } = await import('./oidc.ts');
      await beginSignIn(settings);
      // The browser is on its way; until it has left, the button stays busy.
      await new Promise(() => {});
    },
  });
  return (
    <div className={styles.form}>
      <Button size="md" fullWidth loading={going.isPending} onClick={() => going.mutate()}>
        Sign in
      </Button>
      <p className={styles.muted}>You are sent to {new URL(settings.authority).host} and back.</p>
      {going.isError && (
        <Notice tone="danger" live>
          {new URL(settings.authority).host} can’t be asked now. Try again in a moment.
        </Notice>
      )}
    </div>
  );
}

function WithRole({ roles }: { roles: readonly { name: string; description: string }[] }) {
  const taking = useWrite({
    mutationFn: developmentToken,
    onSuccess: (token) => signIn({ token, refreshToken: null }),
  });
  return (
    <div className={styles.form}>
      <p className={styles.muted}>
        Development: choose whom to be. Production asks its identity provider instead.
      </p>
      <div className={styles.roles}>
        {roles.map(({ name, description }) => (
          <button
            key={name}
            type="button"
            className={styles.role}
            disabled={taking.isPending}
            onClick={() => taking.mutate(name)}
          >
            <span className={styles.roleName}>{name}</span>
            <span className={styles.roleText}>{description}</span>
          </button>
        ))}
      </div>
      {taking.isError && (
        <Notice tone="danger" live>
          {taking.error.message}
        </Notice>
      )}
    </div>
  );
}

function WithToken({ open }: { open: boolean }) {
  const [shown, setShown] = useState(open);
  const [typed, setTyped] = useState('');
  const token = typed.trim().replace(/^Bearer +/i, '');
  const isToken = /^[\w-]+\.[\w-]+\.[\w-]+$/.test(token);
  if (!shown)
    return (
      <Button variant="subtle" size="xs" onClick={() => setShown(true)}>
        Use a bearer token instead
      </Button>
    );
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (isToken) signIn({ token, refreshToken: null });
  };
  return (
    <form className={styles.form} onSubmit={submit}>
      <PasswordInput
        label="Bearer token"
        description="Kept in this tab only, until you sign out or close it."
        autoComplete="off"
        value={typed}
        error={typed !== '' && !isToken ? 'This is no token: three parts with dots between them.' : null}
        visibilityToggleButtonProps={{ 'aria-label': 'Show the token' }}
        onChange={(event) => setTyped(event.currentTarget.value)}
      />
      <Button type="submit" disabled={!isToken}>
        Use this token
      </Button>
    </form>
  );
}
