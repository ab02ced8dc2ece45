import { replicaGuarantees } from '../replica/guarantees.ts';
import { backedUpPair } from '../replica/pair.ts';

/* The same with a replica that pg_basebackup made. Needs Debian's postgresql-15. */
replicaGuarantees(backedUpPair);
