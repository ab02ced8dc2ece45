import { type GraphQLSchema, isObjectType } from 'graphql';

/** What a field of the schema may say of itself, in its extensions. */
export interface FieldFacts {
  /** Throws where the field may not be answered; nothing else guards it. */
  guard?: (context: unknown, parent: unknown, args: object) => void;
  /** The field follows from its object alone: not from who asks, nor when. */
  isDerived?: boolean;
}

/** Says something of a field, in its extensions; http/pieces.ts reads them. */
export function tellOf(schema: GraphQLSchema, typeName: string, name: string, facts: object): void {
  const type = schema.getType(typeName);
  const field = isObjectType(type) ? type.getFields()[name] : undefined;
  if (field === undefined) throw new Error(`There is no ${typeName}.${name}.`);
  field.extensions = { ...field.extensions, ...facts };
}
