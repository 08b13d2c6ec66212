-- What has to be done before the 面談 of each school, by when, and how far it is. `calendar_schools` (calendar.py) holds
-- the schools with the windows of their 面談 and the names that their files may have, `preparations` the steps.
create or replace temp table school_sheets as
with files as (
    select
        s.school_code,
        e.kind,
        e.file,
        min(e.exported_at) as first_at,
        -- none in a file that was taken away
        arg_max(e.children, e.exported_at) as children
    from review.exports as e
    join
        calendar_stems as s
        on
            starts_with(e.file, e.kind || '_' || s.stem)
            -- of the whole school, or of a class of it
            and regexp_full_match(substr(e.file, length(e.kind || '_' || s.stem) + 1), '[.]xlsx|' || $class_file)
    where e.reference_date = $reference_date and e.kind in ($personal_sheet, $school_list)
    group by s.school_code, e.kind, e.file
),

written as (
    select
        school_code,
        kind,
        min(first_at) as first_at,
        sum(children) as children
    from files
    group by school_code, kind
),

returned as (
    select
        school_code,
        count(*) as sheets,
        min(read_on) as first_on,
        max(read_on) as last_on,
        median(minutes) as minutes,
        count(minutes) as with_minutes
    from review.personal_sheets
    where reference_date = $reference_date
    group by school_code
)

select
    c.school_code,
    c.school_name,
    c.opens_on,
    c.closes_on,
    (o.first_at at time zone $timezone)::date as sent_on,
    coalesce(o.children, 0) as sheets,
    -- a child may have changed school since, or have been taken off the list
    least(coalesce(r.sheets, 0), coalesce(o.children, 0)) as returned,
    r.first_on as first_back_on,
    r.last_on as last_back_on,
    r.minutes,
    coalesce(r.with_minutes, 0) as with_minutes,
    (l.first_at at time zone $timezone)::date as list_on,
    coalesce(l.children, 0) as listed
from calendar_schools as c
left join written as o on o.school_code = c.school_code and o.kind = $personal_sheet
left join written as l on l.school_code = c.school_code and l.kind = $school_list
left join returned as r on r.school_code = c.school_code;

create or replace temp table new_sheet_returns as
select
    $reference_date::date as reference_date,
    school_code,
    opens_on,
    closes_on,
    sent_on,
    sheets::integer as sheets,
    returned::integer as returned,
    returned / nullif(sheets, 0) as return_rate,
    first_back_on,
    last_back_on,
    (last_back_on - sent_on)::integer as days,
    minutes,
    with_minutes::integer as with_minutes,
    list_on
from school_sheets;

-- Tables that are awaited at the date (stages/sources/awaited.py), and when they came. One of which a file was
-- refused whole, or that is stopped by what was found in it, has not come.
create or replace temp table awaited_deliveries as
select
    a.table_name,
    case
        when a.table_name not in (
            select r.table_name from sources.returns as r
            where r.reference_date = $reference_date and r.scope = 'file'
            union all
            select f.table_name from sources.faults as f
            where f.reference_date = $reference_date and f.blocking and not f.acknowledged
        ) then max((d.received_at at time zone $timezone)::date)
    end as received_on
from awaited as a
left join sources.deliveries as d
    on
        d.table_name = a.table_name
        and d.reference_date = $reference_date
        and d.status = 'accepted'
        and not d.superseded
group by a.table_name;

create or replace temp table new_calendar as
with meeting as (
    select
        count(*) as children,
        count(d.decision) as decided,
        max(d.meeting_date) as last_on
    from (
        select child_key
        from screening.ranking
        where reference_date = $reference_date and selected
        union
        select child_key
        from review.meeting_list
        where reference_date = $reference_date
    ) as l
    left join review.decisions_in_force as d on d.reference_date = $reference_date and d.child_key = l.child_key
    anti join rights.stops_in_force as s on s.child_key = l.child_key
),

first_list as (
    select min((exported_at at time zone $timezone)::date) as made_on
    from review.exports
    where reference_date = $reference_date and kind = $meeting
),

deliveries as (
    select
        count(*) as tables,
        count(received_on) as received,
        max(received_on) as last_on
    from awaited_deliveries
),

done as (
    select
        null::varchar as school_code,
        'deliveries' as step,
        received as done,
        tables as of_all,
        case when received = tables and tables > 0 then last_on end as done_on
    from deliveries
    union all by name
    select
        null as school_code,
        'refresh' as step,
        (made_on is not null)::integer as done,
        1 as of_all,
        made_on as done_on
    from first_list
    union all by name
    select
        null as school_code,
        'meeting' as step,
        decided as done,
        children as of_all,
        case when decided = children and children > 0 then last_on end as done_on
    from meeting
    union all by name
    -- once the list is there a school of which no child stands on it is asked for nothing
    select
        s.school_code,
        'sheets_out' as step,
        (s.sent_on is not null)::integer as done,
        (s.sent_on is not null or f.made_on is null)::integer as of_all,
        s.sent_on as done_on
    from school_sheets as s
    cross join first_list as f
    union all by name
    select
        school_code,
        'sheets_back' as step,
        returned as done,
        sheets as of_all,
        case when returned = sheets and sheets > 0 then last_back_on end as done_on
    from school_sheets
    union all by name
    -- and one of which none is to be told gets no list
    select
        s.school_code,
        'school_list' as step,
        (s.list_on is not null)::integer as done,
        (s.list_on is not null or m.decided < m.children or (m.children = 0 and f.made_on is null))::integer as of_all,
        s.list_on as done_on
    from school_sheets as s
    cross join meeting as m
    cross join first_list as f
),

due as (
    select
        s.school_code,
        p.step,
        s.opens_on - p.days_before as due_on
    from calendar_schools as s
    cross join preparations as p
    where p.of_school
    union all by name
    -- one for all schools: in time for the first of them
    select
        null as school_code,
        p.step,
        least((select min(s.opens_on) from calendar_schools as s), $otherwise::date) - p.days_before as due_on
    from preparations as p
    where not p.of_school
)

select
    $reference_date::date as reference_date,
    due.step,
    due.school_code,
    due.due_on,
    done.done_on,
    done.done::integer as done,
    done.of_all::integer as of_all
from due
join done on done.step = due.step and done.school_code is not distinct from due.school_code;
