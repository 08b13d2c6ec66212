-- Of files that were written before nothing is known.
alter table if exists review.exports add column if not exists sha256 varchar;
