import { Field, Int, InterfaceType, ObjectType } from 'type-graphql';
import type * as z from 'zod';

/** Base of every expected failure: data, not an exception. */
@InterfaceType({ description: 'An expected failure. Every one has a stable code and a message for people.' })
export abstract class UserError {
  @Field(() => String, { description: 'Stable; match on this or on the type, never on the message.' })
  readonly code: string;

  @Field(() => String, { description: 'What is wrong and what would be right, for people.' })
  readonly message: string;

  protected constructor(code: string, message: string) {
    this.code = code;
    this.message = message;
  }
}

@ObjectType({
  simpleResolvers: true,
  implements: UserError,
  description: 'INVALID_INPUT: a value of the input breaks a rule. Nothing was written.',
})
export class InvalidInput extends UserError {
  @Field(() => String, { description: 'The path inside input, e.g. policy.issuer.' })
  readonly field: string;

  constructor(field: string, message: string) {
    super('INVALID_INPUT', message);
    this.field = field;
  }
}

@ObjectType({
  simpleResolvers: true,
  implements: UserError,
  description:
    "INVALID_POLICY: the resulting policy would contradict itself or the application's override rule. Nothing was written.",
})
export class InvalidPolicy extends UserError {
  @Field(() => String, { description: 'The path inside input of the setting that stands in the way.' })
  readonly field: string;

  constructor(field: string, message: string) {
    super('INVALID_POLICY', message);
    this.field = field;
  }
}

@ObjectType({
  simpleResolvers: true,
  implements: UserError,
  description: 'NOT_FOUND: no such thing, or none that the caller may see.',
})
export class NotFound extends UserError {
  constructor(what: string) {
    super('NOT_FOUND', `There is no such ${what}, or you may not see it.`);
  }
}

@ObjectType({
  simpleResolvers: true,
  implements: UserError,
  description: 'ALREADY_EXISTS: the given id is taken.',
})
export class AlreadyExists extends UserError {
  constructor(what: string) {
    super('ALREADY_EXISTS', `This ${what} id is taken; give another, or none to get a UUIDv7.`);
  }
}

@ObjectType({
  simpleResolvers: true,
  implements: UserError,
  description:
    'VERSION_CONFLICT: somebody changed it since you read it. Nothing was written; read again and decide.',
})
export class VersionConflict extends UserError {
  @Field(() => Int, { description: 'The version stored now; 0 when nothing is stored yet.' })
  readonly currentVersion: number;

  constructor(currentVersion: number) {
    super(
      'VERSION_CONFLICT',
      `The version is ${currentVersion} by now. Read it again, then write with expectedVersion ${currentVersion}.`,
    );
    this.currentVersion = currentVersion;
  }
}

/**
 * Checks an input object.
 * @returns the parsed value, or InvalidInput naming the first offending field by its path in `input`
 */
export function parseInput<T extends z.ZodType>(shape: T, input: unknown): z.infer<T> | InvalidInput {
  const parsed = shape.safeParse(input);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const field = issue?.path.join('.') || 'input';
  return new InvalidInput(field, `${field} ${issue?.message ?? 'is invalid'}.`);
}
