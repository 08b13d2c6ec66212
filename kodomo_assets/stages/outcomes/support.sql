-- 支援記録 and the schools' lists -> support of the children of a reference date. In 支援記録 a child is named by its
-- 児童キー or by its 配布番号, on a school's list by its 配布番号.

-- Which school may report on whom: that of the reference date or of a register since, once the meeting decided so that
-- schools are told. What was sent stays sent: a later decision, or a move, does not make a report wrong.
create or replace temp table told_children as
with decided as (
    select
        child_key,
        bool_or(release) as released,
        bool_or(coalesce(list_contains($with_leaflets, direction), false)) as has_leaflet
    from review.decisions
    where reference_date = $reference_date
    group by child_key
    having bool_or(list_contains($told, decision))
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
    d.has_leaflet,
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
    coalesce(
        case
            when r.sent_for <> $reference_date
                then 'sent for another reference date, expected a file of this folder''s date'
            when r.problem is not null
                then r.problem
            when not exists (from numbered_children as c where c.sheet_number = r.given_number)
                then
                    '配布番号 is none of this reference date, expected one that was sent '
                    || '(a correction or 利用停止 may have taken the child off it)'
            when t.child_key is null or not list_has_any(t.schools, r.schools)
                then '配布番号 is not this school''s, expected one of the list that it was sent'
            when r.handed_on is not null and not t.has_leaflet
                then $handed_on_header || ' of a child for whom the list names no 案内資料, expected none'
        end,
        impossible_day($spoken_on_header, r.given_on, $reference_date::date, f.read_on),
        impossible_day($handed_on_header, r.handed_on, $reference_date::date, f.read_on)
    ) as problem
from returned_reports as r
join first_readings as f using (file)
left join told_children as t on t.sheet_number = r.given_number;

create or replace temp table judged_support as
select
    r.* exclude (problem),
    c.child_key,
    coalesce(
        r.problem,
        unnamed_child(r.given_key, r.given_number, c.child_key, c.sheet_number),
        impossible_day($given_on_header, r.given_on, $reference_date::date, f.read_on)
    ) as problem
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
        $spoken_to::varchar as outcome,
        $spoken_to_step::varchar as step,
        report,
        file,
        sheet,
        row_number
    from judged_reports
    where problem is null and given_on is not null
    union all by name
    select
        child_key,
        handed_on as given_on,
        $handed_out::varchar as kind,
        $offered::varchar as outcome,
        $offered_step::varchar as step,
        null::varchar as report,
        file,
        sheet,
        row_number
    from judged_reports
    where problem is null and handed_on is not null
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

create or replace temp table refused_rows as
select file, sheet, row_number, problem
from judged_support
where problem is not null
union all by name
select file, sheet, row_number, problem
from judged_reports
where problem is not null;
