-- Of levels of before nothing is known of the days that their evidence bears.
alter table if exists features.levels add column if not exists evidence_on date;
