export interface Condition {
  readonly column: string;
  matches(value: string): boolean;
}

const EXPRESSION = /^\s*([^!<>=]+?)\s*(!=|>=|<=|=|>|<)\s*(.*?)\s*$/s;

/** `column op literal`, with = != > >= < <=. Undefined when it is none. The literal may stand in quotes. */
export function parseCondition(text: string): Condition | undefined {
  const match = EXPRESSION.exec(text);
  const [, column, operator, right] = match ?? [];
  if (column === undefined || operator === undefined || right === undefined) return undefined;
  const literal = /^(['"]).*\1$/s.test(right) && right.length > 1 ? right.slice(1, -1) : right;
  return { column, matches: comparison(operator, literal) };
}

/**
 * As numbers when both are; else as text, which orders ISO times. What is no number is neither above nor below one, so an
 * empty rating is not `rating<4`.
 */
function comparison(operator: string, literal: string): (value: string) => boolean {
  const number = toNumber(literal);
  const holds = orderTest(operator);
  return (text) => {
    if (number === undefined) return holds(text < literal ? -1 : text > literal ? 1 : 0);
    const value = toNumber(text);
    return value === undefined ? operator === '!=' : holds(value - number);
  };
}

function orderTest(operator: string): (order: number) => boolean {
  switch (operator) {
    case '=':
      return (order) => order === 0;
    case '!=':
      return (order) => order !== 0;
    case '>':
      return (order) => order > 0;
    case '>=':
      return (order) => order >= 0;
    case '<':
      return (order) => order < 0;
    default:
      return (order) => order <= 0;
  }
}

function toNumber(text: string): number | undefined {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  return Number.isFinite(value) ? value : undefined;
}
