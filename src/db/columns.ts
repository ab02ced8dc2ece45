import { p } from '@mikro-orm/core';

/*
 * Column kinds used by every table. Text is compared byte by byte (collation "C"): the order of
 * names and ids must not depend on a server's locale or change with its next version.
 */
export const text = () => p.string().columnType('text collate "C"');
export const moment = () => p.datetime().columnType('timestamptz(3)');
export const flag = () => p.boolean().columnType('boolean');
export const integer = () => p.integer().columnType('integer');
