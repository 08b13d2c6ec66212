-- Of sheets that were read before neither is known.
alter table if exists review.personal_sheets add column if not exists minutes integer;

alter table if exists review.personal_sheets add column if not exists read_on date;
