-- 出欠 of a pupil who changed school within a month (method §2): which keys have two rows that are summed later.
-- Reads `repeated` (the rows that share a key) and `typed`, and `rostered_pupils(reference_date, pupil_id, school_code)`.

-- The school of a file (or sheet) is that of most of its pupils.
create or replace temp table part_schools as
with rostered as (
    select
        pupil_id,
        arg_max(school_code, reference_date) as school_code
    from rostered_pupils
    group by pupil_id
),

pupils as (
    select
        t.file,
        t.sheet,
        r.school_code,
        count(distinct t.pupil_id) as pupils
    from typed as t
    join rostered as r using (pupil_id)
    group by t.file, t.sheet, r.school_code
)

select
    file,
    sheet,
    school_code
from pupils
qualify pupils * 2 > sum(pupils) over (partition by file, sheet);

create or replace temp table placed as
select
    r.*,
    s.school_code,
    -- exactly equal rows of one school; in one file for all schools they may be those of two
    case
        when $one_file then 1
        else row_number() over (
            partition by
                r.pupil_id,
                r.month,
                r.school_days,
                r.absence_days,
                r.late_arrivals,
                r.early_leaves,
                r.nurse_office_visits,
                s.school_code
            order by r.file, r.row_id
        )
    end as nth_of_school
from repeated as r
left join part_schools as s
    on s.file = r.file and s.sheet is not distinct from r.sheet;

create or replace temp table transfers as
with moved as (
    select
        p.pupil_id,
        p.month,
        arg_max(r.school_code, r.reference_date) filter (r.reference_date <= p.month) as before_month,
        arg_min(r.school_code, r.reference_date) filter (r.reference_date >= p.month + interval 1 month) as after_month
    from (select distinct pupil_id, month from repeated) as p
    join rostered_pupils as r using (pupil_id)
    group by p.pupil_id, p.month
    having before_month <> after_month
),

two_schools as (
    select
        pupil_id,
        month
    from placed
    where nth_of_school = 1
    group by pupil_id, month
    having
        count(*) = 2
        and ($one_file or count(distinct school_code) = 2)
        -- a month has no more school days than weekdays, and some schools make up for lost ones on Saturdays
        and sum(coalesce(school_days, absence_days, 0)) <= 2 + len(list_filter(
            range(month::timestamp, month + interval 1 month, interval 1 day), lambda day: isodow(day) <= 5
        ))
)

select
    pupil_id,
    month
from two_schools
where
    not $one_file
    or (pupil_id, month) in (select (pupil_id, month) from moved);

insert into judged_rows
select
    row_id,
    null,
    'duplicate_row'
from placed
semi join transfers using (pupil_id, month)
where nth_of_school > 1;
