-- 学年 as the contract counts it where a city's junior high schools count from 1; 住民記録 in force tells the birth date.
with registered as (
    select
        resident_id,
        legal_school_year(birth_date, $reference_date::date) as legal
    from sources.resident_register
    where reference_date = (
        select max(reference_date)
        from sources.resident_register
        where reference_date <= $reference_date
    )
)

update new_school_register as s
set school_year = s.school_year + 6
from registered as r
where
    r.resident_id = s.resident_id
    and s.school_year between 1 and 3
    and abs(s.school_year + 6 - r.legal) < abs(s.school_year - r.legal);
