create table shop.item (
  tenant_id uuid not null,
  id uuid not null,
  name text not null,
  primary key (tenant_id, id)
);
call stoa.tenant_table('shop.item');
create unique index item_name on shop.item (tenant_id, name);
create table shop.ledger (id uuid primary key, note text not null);
call stoa.system_table('shop.ledger', 'belongs to no tenant: used by these tests');
call stoa.idempotency_table('shop');
