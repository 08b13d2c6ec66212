-- Of indices of before nobody knows of how many children they are: they are not told.
alter table if exists evaluation.drift add column if not exists children_now integer;
alter table if exists evaluation.drift add column if not exists children_then integer;
