import { Button, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { applicationsQuery } from '../api/queries.ts';
import { hrefOf } from '../router/route.ts';
import { navigate } from '../router/use-route.ts';
import type { Permissions } from '../session/permissions.ts';
import { Card, Empty } from '../shared/card.tsx';
import { Loaded } from '../shared/loaded.tsx';
import { Id, Name } from '../shared/name.tsx';
import { PageHeader } from '../shared/page-header.tsx';
import styles from '../shared/shared.module.css';

/** Where callers of the whole installation begin. Who may not list applications names one. */
export function ChooseApplication({ may }: { may: Permissions }) {
  return (
    <>
      <PageHeader
        title="Applications"
        documentTitle="Applications"
        lead="Select the application whose MFA you want to look after."
      />
      {may.chooseApplication ? <ApplicationList /> : <ByIdForm may={may} />}
    </>
  );
}

function ApplicationList() {
  const [search, setSearch] = useState('');
  const applications = useQuery(applicationsQuery(search));
  return (
    <Card title="All applications" flush>
      <div className={styles.toolbar}>
        <TextInput
          label="Search"
          placeholder="Part of the name"
          type="search"
          value={search}
          onChange={(event) => setSearch(event.currentTarget.value)}
        />
      </div>
      <Loaded query={applications}>
        {({ nodes, pageInfo }) =>
          nodes.length === 0 ? (
            <Empty title={search === '' ? 'No applications yet' : 'No application has this in its name'} />
          ) : (
            <div className={styles.tableWrap}>
              <table className={styles.table}>
                <thead>
                  <tr>
                    <th scope="col">Name</th>
                    <th scope="col">Id</th>
                  </tr>
                </thead>
                <tbody>
                  {nodes.map(({ id, displayName }) => (
                    <tr key={id}>
                      <td className={styles.cellName}>
                        <a className={styles.link} href={hrefOf({ page: 'application', applicationId: id })}>
                          <Name>{displayName}</Name>
                        </a>
                      </td>
                      <td className={styles.cellName}>
                        <Id>{id}</Id>
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
              {pageInfo.hasNextPage && (
                <p className={styles.empty}>There are more. Search by name to find them.</p>
              )}
            </div>
          )
        }
      </Loaded>
    </Card>
  );
}

function ByIdForm({ may }: { may: Permissions }) {
  const [id, setId] = useState('');
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const applicationId = id.trim();
    if (applicationId === '') return;
    navigate(
      may.readAudit
        ? { page: 'audit', applicationId, filter: {} }
        : { page: 'users', applicationId, tenantId: null, userId: null },
    );
  };
  return (
    <Card title="By id" lead="Your account may not list applications.">
      <form onSubmit={submit} className={styles.inlineForm}>
        <TextInput label="Application id" value={id} onChange={(event) => setId(event.currentTarget.value)} />
        <Button type="submit" disabled={id.trim() === ''}>
          Open
        </Button>
      </form>
    </Card>
  );
}
