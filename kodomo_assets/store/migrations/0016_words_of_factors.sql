-- Of lists that were made before, names, files and maker of their time are not known.
alter table if exists explanation.factors add column if not exists item_ja varchar;

alter table if exists explanation.factors add column if not exists tables_ja varchar;

alter table if exists explanation.factors add column if not exists sha256 varchar;

alter table if exists explanation.factors add column if not exists made_by varchar;
