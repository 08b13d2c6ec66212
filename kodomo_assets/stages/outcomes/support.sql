-- 支援記録 and the schools' lists -> support of the children of a reference date. In 支援記録 a child is named by its
-- 児童キー or by its 配布番号, on a school's list by its 配布番号.
create or replace temp table numbered_children as
select
    c.child_key,
    c.resident_id,
    c.school_code,
    c.protected,
    coalesce(l.sheet_number, n.sheet_number) as sheet_number
from linkage.children as c
left join review.meeting_list as l using (reference_date, child_key)
left join sheet_numbers as n using (child_key)
where c.reference_date = $reference_date;

-- Which school may report on whom: that of the reference date or of a register since, once the meeting decided so that
-- schools are told. What was sent stays sent: a later decision, or a move, does not make a report wrong.
create or replace temp table told_children as
with decided as (
    select
        child_key,
        bool_or(release) as released
    from review.decisions
    where reference_date = $reference_date
    group by child_key
    having bool_or(decision in ('a', 'b', 'c'))
),

released as (
    select distinct child_key
    from review.releases
    where reference_date = $reference_date and release
),

places as (
    select
        child_key,
        school_code
    from numbered_children
    union
    select
        c.child_key,
        s.school_code
    from numbered_children as c
    join sources.school_register as s using (resident_id)
    where s.reference_date >= $reference_date
)

select
    c.child_key,
    c.sheet_number,
    list(p.school_code) as schools
from numbered_children as c
join decided as d using (child_key)
join places as p using (child_key)
left join released as r using (child_key)
where not c.protected or d.released or r.child_key is not null
group by all;

create or replace temp table judged_reports as
select
    r.* exclude (problem),
    t.child_key,
    case
        when r.sent_for <> $reference_date then 'sent for another reference date, expected a file of this folder''s date'
        when r.problem is not null then r.problem
        when not exists (from numbered_children as c where c.sheet_number = r.given_number)
            then '配布番号 is none of this reference date, expected one that was sent'
        when t.child_key is null or not list_has_any(t.schools, r.schools)
            then '配布番号 is not this school''s, expected one of the list that it was sent'
        when r.given_on < $reference_date then '声かけをした日 lies before the reference date'
        when r.given_on > f.read_on
            then '声かけをした日 lay in the future when this file was first read, expected a day up to then'
    end as problem
from returned_reports as r
join first_readings as f using (file)
left join told_children as t on t.sheet_number = r.given_number;

create or replace temp table judged_support as
select
    r.* exclude (problem),
    c.child_key,
    case
        when r.problem is not null then r.problem
        when r.given_key is null and r.given_number is null
            then '児童キー and 配布番号 are blank, expected one of them'
        when c.child_key is null then 'child unknown at this reference date, expected a 児童キー or 配布番号 of it'
        when r.given_key is not null and r.given_number is not null and (r.given_number is distinct from c.sheet_number)
            then '児童キー and 配布番号 are of two children, expected those of one'
        when r.given_on < $reference_date then '実施日 lies before the reference date'
        when r.given_on > f.read_on
            then '実施日 lay in the future when this file was first read, expected a day up to then'
    end as problem
from returned_support as r
join first_readings as f using (file)
left join numbered_children as c
    on c.child_key = r.given_key or (r.given_key is null and c.sheet_number = r.given_number);

-- The same record in two files is one record; of a school's words on it those of the later file stand.
create or replace temp table new_support as
with told as (
    select
        child_key,
        given_on,
        kind,
        outcome,
        step,
        null::varchar as report,
        file,
        sheet,
        row_number
    from judged_support
    where problem is null
    union all by name
    select
        child_key,
        given_on,
        '声かけ' as kind,
        $outcome::varchar as outcome,
        $step::varchar as step,
        report,
        file,
        sheet,
        row_number
    from judged_reports
    where problem is null
)

select
    $reference_date::date as reference_date,
    child_key,
    given_on,
    kind,
    outcome,
    step,
    arg_max(report, (file, coalesce(sheet, 0), row_number)) filter (report is not null) as report
from told
group by all;

-- Of whom a record was read before and none stands in a file now: somebody took it away, or it is refused.
create or replace temp table gone_children as
select distinct child_key
from review.support
where reference_date = $reference_date and child_key not in (select n.child_key from new_support as n);

create or replace temp table new_rejections as
with wrong as (
    select file, sheet, row_number, problem
    from judged_support
    union all by name
    select file, sheet, row_number, problem
    from judged_reports
    union all by name
    from rejected_files
)

select
    $reference_date::date as reference_date,
    'support' as kind,
    file,
    sheet,
    row_number,
    problem
from wrong
where problem is not null;
