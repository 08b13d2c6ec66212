-- 学年 of 学齢簿 beside the legal school year, one row per row that differs, and how many were compared.
-- Reads the views of the delivered tables.
create or replace temp table compared_school_years as
select
    s.source_file,
    s.source_row,
    s.school_year - legal_school_year(r.birth_date, $reference_date::date) as difference
from delivered_school_register as s
join delivered_resident_register as r using (resident_id)
where s.school_year is not null;
