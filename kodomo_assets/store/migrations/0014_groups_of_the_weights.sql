-- Of dates of before nobody knows which groups an item of the weights made.
alter table if exists evaluation.fairness add column if not exists is_weighed boolean;
