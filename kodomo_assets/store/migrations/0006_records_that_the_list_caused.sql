-- Of labels and cards of before nothing is known: every record counted.
alter table if exists features.labels add column if not exists counted_before boolean;

alter table if exists features.labels add column if not exists first_counted_on date;

alter table if exists features.labels add column if not exists records_set_aside integer;

alter table if exists weights.model_cards add column if not exists records_set_aside integer;
