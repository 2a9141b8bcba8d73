alter table customer.customer
  -- Sorted, without repetition, as stoa_customer's model keeps them; customer.tag is what they are found by.
  add column tags text[] not null default '{}' check (cardinality(tags) <= 20),
  -- The custom fields' values by key; customer.custom_value is what they are found by.
  add column custom jsonb not null default '{}' check (jsonb_typeof(custom) = 'object'),
  -- The record's key in the system that it was imported from.
  add column external_key text collate "C" check (char_length(external_key) between 1 and 100),
  add column merged_into uuid check (merged_into is null or archived_at is not null),
  -- For duplicates.
  add column phone_key text collate "C" generated always as (ltrim(phone, '+')) stored,
  add column email_domain text collate "C" generated always as (split_part(email, '@', 2)) stored;
create unique index customer_external_key_live on customer.customer (tenant_id, external_key)
  where archived_at is null;
create index customer_by_phone on customer.customer (tenant_id, phone_key) where archived_at is null;
create index customer_by_domain on customer.customer (tenant_id, email_domain, name_key) where archived_at is null;
create index customer_by_survivor on customer.customer (tenant_id, merged_into) where merged_into is not null;

-- One row a tag of a customer. Operators on arrays are not leakproof, so under row-level security they use no index.
create table customer.tag (
  tenant_id uuid not null,
  tag text collate "C" not null check (char_length(tag) between 1 and 40),
  customer_id uuid not null,
  constraint tag_pkey primary key (tenant_id, customer_id, tag)
);
call stoa.tenant_table('customer.tag');
create index tag_customers on customer.tag (tenant_id, tag, customer_id);

-- The definitions of custom fields. Archived ones keep their key: their values are still in the rows.
create table customer.field (
  tenant_id uuid not null,
  id uuid not null,
  key text collate "C" not null check (key ~ '^[a-z][a-z0-9_]{0,39}$'),
  label text not null check (char_length(label) between 1 and 80),
  type text not null
    check (type in ('text', 'number', 'boolean', 'date', 'datetime', 'select', 'multiselect', 'url', 'email')),
  required boolean not null,
  -- options, decimals, min, max, maxLength: what the type has of these.
  rules jsonb not null,
  version bigint not null,
  created_at timestamptz not null,
  created_by text not null,
  updated_at timestamptz not null,
  updated_by text not null,
  archived_at timestamptz,
  constraint field_pkey primary key (tenant_id, id)
);
call stoa.tenant_table('customer.field');
create unique index field_key on customer.field (tenant_id, key);

-- What customers are found by: the value as text, or as a number (scaled by the field's decimals), a boolean (0 or 1),
-- or a time (microseconds since 1970). A multiselect has an item for each choice.
create table customer.custom_value (
  tenant_id uuid not null,
  customer_id uuid not null,
  field_id uuid not null,
  item smallint not null,
  text_value text collate "C",
  int_value bigint,
  constraint custom_value_pkey primary key (tenant_id, customer_id, field_id, item),
  check ((text_value is null) <> (int_value is null))
);
call stoa.tenant_table('customer.custom_value');
create index custom_value_text on customer.custom_value (tenant_id, field_id, text_value, customer_id)
  where text_value is not null;
create index custom_value_int on customer.custom_value (tenant_id, field_id, int_value, customer_id)
  where int_value is not null;

-- Saved conditions on customers.
create table customer.segment (
  tenant_id uuid not null,
  id uuid not null,
  name text not null check (char_length(name) between 1 and 100),
  name_key text collate "C" not null,
  -- The condition as the API takes it.
  condition jsonb not null,
  -- How it is shown: the list's parameters of these names.
  sort text,
  fields text[],
  version bigint not null,
  created_at timestamptz not null,
  created_by text not null,
  updated_at timestamptz not null,
  updated_by text not null,
  archived_at timestamptz,
  constraint segment_pkey primary key (tenant_id, id)
);
call stoa.tenant_table('customer.segment');
create unique index segment_name on customer.segment (tenant_id, name_key) where archived_at is null;
create index segment_by_name on customer.segment (tenant_id, name_key, id) where archived_at is null;

-- Merges, with what it takes to undo them.
create table customer.merge (
  tenant_id uuid not null,
  id uuid not null,
  into_id uuid not null,
  from_id uuid not null,
  -- For each field that the survivor took: its value before and after.
  taken jsonb not null,
  -- The tags that the survivor got.
  tags_added text[] not null,
  merged_at timestamptz not null,
  merged_by text not null,
  undone_at timestamptz,
  undone_by text,
  constraint merge_pkey primary key (tenant_id, id)
);
call stoa.tenant_table('customer.merge');
create index merge_of_survivor on customer.merge (tenant_id, into_id, merged_at, id);
