create table contact.contact (
  tenant_id uuid not null,
  id uuid not null,
  name text not null check (char_length(name) between 1 and 200),
  -- For search and order; see stoa_kernel::text::search_key.
  name_key text collate "C" not null,
  email text collate "C" check (email = lower(email)),
  phone text check (phone ~ '^\+?[1-9]\d{1,14}$'),
  position text check (char_length(position) <= 100),
  branch_id uuid not null,
  owner_id uuid not null,
  version bigint not null,
  created_at timestamptz not null,
  created_by text not null,
  updated_at timestamptz not null,
  updated_by text not null,
  archived_at timestamptz,
  constraint contact_pkey primary key (tenant_id, id)
);
call stoa.tenant_table('contact.contact');
create index contact_by_name on contact.contact (tenant_id, name_key, id) where archived_at is null;
create index contact_by_email on contact.contact (tenant_id, email) where archived_at is null;
create index contact_by_created on contact.contact (tenant_id, created_at, id) where archived_at is null;
create index contact_by_updated on contact.contact (tenant_id, updated_at, id) where archived_at is null;
create index contact_by_branch on contact.contact (tenant_id, branch_id, name_key, id) where archived_at is null;
create index contact_by_owner on contact.contact (tenant_id, owner_id, name_key, id) where archived_at is null;
create index contact_archived on contact.contact (tenant_id, name_key, id) where archived_at is not null;

-- Which contacts belong to which customers.
create table contact.link (
  tenant_id uuid not null,
  contact_id uuid not null,
  customer_id uuid not null,
  role text check (char_length(role) <= 100),
  linked_at timestamptz not null,
  linked_by text not null,
  -- The merges of customers that brought it here, until somebody changes it: undoing the last of them takes it away.
  -- Null for the customer's own.
  merge_ids uuid[],
  constraint link_pkey primary key (tenant_id, contact_id, customer_id)
);
call stoa.tenant_table('contact.link');
create index link_by_customer on contact.link (tenant_id, customer_id, contact_id);

-- A customer's primary contact. A row for each customer, not a flag on the link: two who set it at once write the same
-- row, so neither fails and there never are two.
create table contact.primary_contact (
  tenant_id uuid not null,
  customer_id uuid not null,
  contact_id uuid not null,
  constraint primary_contact_pkey primary key (tenant_id, customer_id)
);
call stoa.tenant_table('contact.primary_contact');

create table contact.interaction (
  tenant_id uuid not null,
  id uuid not null,
  kind text not null check (kind in ('call', 'meeting', 'email', 'note')),
  subject text not null check (char_length(subject) between 1 and 200),
  body text not null check (char_length(body) <= 20000),
  occurred_at timestamptz not null,
  duration_minutes bigint check (duration_minutes >= 0),
  direction text check (direction in ('in', 'out')),
  -- The customer that was named; all that it concerns are parties.
  customer_id uuid,
  branch_id uuid not null,
  owner_id uuid not null,
  version bigint not null,
  created_at timestamptz not null,
  created_by text not null,
  updated_at timestamptz not null,
  updated_by text not null,
  archived_at timestamptz,
  constraint interaction_pkey primary key (tenant_id, id)
);
call stoa.tenant_table('contact.interaction');
create index interaction_by_time on contact.interaction (tenant_id, occurred_at, id) where archived_at is null;
create index interaction_by_kind on contact.interaction (tenant_id, kind, occurred_at, id) where archived_at is null;
create index interaction_by_branch on contact.interaction (tenant_id, branch_id, occurred_at, id)
  where archived_at is null;
create index interaction_by_owner on contact.interaction (tenant_id, owner_id, occurred_at, id)
  where archived_at is null;

-- Whom an interaction concerns: customers, contacts, and the users whom its text mentions.
create table contact.party (
  tenant_id uuid not null,
  interaction_id uuid not null,
  kind text not null check (kind in ('customer', 'contact', 'mention')),
  party_id uuid not null,
  -- Of mentions: as it stands in the text, in lower case and without the @.
  handle text check ((handle is not null) = (kind = 'mention')),
  -- Of customers: the merges that brought it here, as of links.
  merge_ids uuid[],
  constraint party_pkey primary key (tenant_id, interaction_id, kind, party_id)
);
call stoa.tenant_table('contact.party');
create index party_interactions on contact.party (tenant_id, party_id, kind, interaction_id);

-- Which branches exist, from the organization service's events; the highest version wins.
create table contact.branch (
  tenant_id uuid not null,
  id uuid not null,
  archived boolean not null,
  version bigint not null,
  constraint branch_pkey primary key (tenant_id, id)
);
call stoa.tenant_table('contact.branch');

call stoa.idempotency_table('contact');
