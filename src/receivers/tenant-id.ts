// Which tenant ids may become records: what is accepted here ends up in labels, paths and headers.

const TENANT_ID = /^[0-9A-Za-z!\-_.*'()]{1,150}$/;

/** 1 to 150 characters of `0-9 A-Z a-z ! - _ . * ' ( )`, but neither `.` nor `..`. */
export function isTenantId(tenant: string): boolean {
  return TENANT_ID.test(tenant) && tenant !== '.' && tenant !== '..';
}
