-- Files that were sent to be imported, as UTF-8 text. The system role sweeps what is old.
create table customer.upload (
  tenant_id uuid not null,
  id uuid not null,
  created_at timestamptz not null,
  created_by text not null,
  -- What the file turned out to be; null until all of it has arrived.
  about jsonb,
  -- The operation that was started last with it.
  operation uuid,
  constraint upload_pkey primary key (tenant_id, id)
);
call stoa.tenant_table('customer.upload');
call stoa.system_access('customer.upload', 'select, delete', 'files are swept after their time, whatever the tenant');
create index upload_by_age on customer.upload (created_at);

-- The text in pieces of one size (but the last), so that a position in the text says in which chunk it is.
create table customer.upload_chunk (
  tenant_id uuid not null,
  upload uuid not null,
  n integer not null check (n >= 0),
  bytes bytea not null check (octet_length(bytes) between 1 and 262144),
  constraint upload_chunk_pkey primary key (tenant_id, upload, n)
);
call stoa.tenant_table('customer.upload_chunk');
call stoa.system_access('customer.upload_chunk', 'select, delete', 'goes with its customer.upload');

-- What an operation could not do: a row of a file, or a customer of a bulk update.
create table customer.operation_error (
  tenant_id uuid not null,
  operation uuid not null,
  -- The row's number in the file, counting the header, or the customer's turn.
  position bigint not null,
  customer_id uuid,
  -- [{column, rule, detail}]
  faults jsonb not null,
  -- The row's cells as they were in the file.
  cells text[],
  created_at timestamptz not null,
  constraint operation_error_pkey primary key (tenant_id, operation, position)
);
call stoa.tenant_table('customer.operation_error');
call stoa.system_access('customer.operation_error', 'select, delete', 'swept after seven days, like the operations');
create index operation_error_by_age on customer.operation_error (created_at);

call stoa.job_table('customer');
