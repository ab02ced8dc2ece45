import { replicaGuarantees } from './guarantees.ts';
import { copiedPair } from './pair.ts';

replicaGuarantees(copiedPair);
