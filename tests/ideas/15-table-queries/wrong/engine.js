"use strict";

const { parse } = require("./parser.js");

const COMPARE = {
  "=": (one, other) => one === other,
  "!=": (one, other) => one !== other,
  "<": (one, other) => one < other,
  "<=": (one, other) => one <= other,
  ">": (one, other) => one > other,
  ">=": (one, other) => one >= other,
};

const AGGREGATE = {
  COUNT: (values) => values.length,
  SUM: (values) => values.reduce((total, value) => total + value, 0),
  MIN: (values) => values.reduce((least, value) => (value < least ? value : least)),
  MAX: (values) => values.reduce((most, value) => (value > most ? value : most)),
};

function query(text, tables) {
  const { items, table, condition, group, order, limit } = parse(text);
  if (!Object.hasOwn(tables, table)) {
    throw new Error(`unknown table: ${table}`);
  }
  const rows = tables[table];
  checkColumns(rows, usedColumns({ items, condition, group, order }));
  const found = rows.filter((row) => condition === null || holds(condition, row));
  const isGrouped = group !== null || (items ?? []).some((item) => item.call);
  // Every result carries what it may be sorted by; only the items are shown.
  const results = isGrouped ? groupsOf(found, group).map((members) => summary(members, items, order)) : found;
  return sorted(results, order).slice(0, limit).map((row) => (items === null ? { ...row } : pick(row, items)));
}

function usedColumns({ items, condition, group, order }) {
  const columns = [...(items ?? []).map(({ column }) => column), ...conditionColumns(condition)];
  if (group !== null) {
    columns.push(group);
  }
  columns.push(...order.map(({ name }) => /\((.*)\)/.exec(name)?.[1] ?? name));
  return columns.filter((column) => column !== "*");
}

function conditionColumns(condition) {
  if (condition === null) {
    return [];
  }
  const parts = [condition.left, condition.right, condition.inner].filter((part) => part !== undefined);
  return parts.flatMap((part) => (part.kind ? conditionColumns(part) : part.column ?? []));
}

function checkColumns(rows, columns) {
  for (const column of columns) {
    if (rows.length > 0 && !rows.some((row) => Object.hasOwn(row, column))) {
      throw new Error(`unknown column: ${column}`);
    }
  }
}

function holds(condition, row) {
  switch (condition.kind) {
    case "and":
      return holds(condition.left, row) && holds(condition.right, row);
    case "or":
      return holds(condition.left, row) || holds(condition.right, row);
    case "not":
      return !holds(condition.inner, row);
    default:
      return COMPARE[condition.sign](valueOf(condition.left, row), valueOf(condition.right, row));
  }
}

function valueOf(operand, row) {
  return operand.column === undefined ? operand.value : row[operand.column];
}

function groupsOf(rows, column) {
  if (column === null) {
    return [rows];
  }
  const groups = new Map();
  for (const row of rows) {
    const members = groups.get(row[column]);
    if (members) {
      members.push(row);
    } else {
      groups.set(row[column], [row]);
    }
  }
  return [...groups.values()];
}

function summary(members, items, order) {
  const result = { ...members[0] };
  for (const name of [...(items ?? []), ...order].map((item) => item.name)) {
    const match = /^([A-Z]+)\((.*)\)$/.exec(name);
    if (match) {
      result[name] = aggregate(match[1], match[2], members);
    }
  }
  return result;
}

function aggregate(call, column, members) {
  const values = members.map((row) => row[column]);
  return values.length === 0 && (call === "MIN" || call === "MAX") ? null : AGGREGATE[call](values);
}

function sorted(rows, order) {
  return [...rows].sort((one, other) => {
    for (const { name, isDescending } of order) {
      if (one[name] !== other[name]) {
        return one[name] < other[name] === isDescending ? 1 : -1;
      }
    }
    return 0;
  });
}

function pick(row, items) {
  return Object.fromEntries(items.map(({ name }) => [name, row[name]]));
}

module.exports = { query };
