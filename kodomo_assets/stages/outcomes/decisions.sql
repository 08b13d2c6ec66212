-- Filled rows of 判定会議 and 判定 -> what is taken, and why the others are not. `returned_decisions` holds the cells as
-- read (decisions.py); a child is named by its 児童キー or by its 配布番号.
create or replace temp table known_children as
select
    c.child_key,
    -- a child that the meeting added has a number of its own on the school's list
    coalesce(l.sheet_number, n.sheet_number) as sheet_number,
    c.school_year,
    case when c.protected then $protected else coalesce(s.school_name, c.school_code) end as school
from linkage.children as c
left join review.meeting_list as l using (reference_date, child_key)
left join sheet_numbers as n using (child_key)
left join registered_schools as s using (school_code)
where c.reference_date = $reference_date;

create or replace temp table judged_decisions as
-- What the workbook told of a child, now or before a correction: 学年 and 学校 show that a row still stands as it was sent.
with told as (
    select child_key, school_year, school
    from known_children
    union
    select child_key, school_year, school
    from review.listed_children
    where reference_date = $reference_date
),

shown as (
    select
        child_key,
        list(school_year) as school_years,
        list(school) as schools
    from told
    group by child_key
),

named_or_said as (
    select
        r.*,
        k.child_key as known_key,
        k.sheet_number as known_number,
        s.school_years,
        s.schools
    from returned_decisions as r
    left join known_children as k
        on k.child_key = r.given_key or (r.given_key is null and k.sheet_number = r.given_number)
    left join shown as s on s.child_key = k.child_key
),

-- The workbook shows a release that is in force: a row that says no more than that says nothing.
named as (
    select n.*
    from named_or_said as n
    left join review.releases_in_force as f
        on f.reference_date = $reference_date and f.child_key = n.known_key
    where not (n.release_only and n.meeting_date is null and n.release and coalesce(f.release, false))
),

single as (
    select
        *,
        case
            when problem is not null then problem
            when given_key is null and given_number is null
                then '児童キー and 配布番号 are blank, expected one of them'
            when known_key is null then 'child unknown at this reference date, expected a 児童キー or 配布番号 of it'
            when given_key is not null and given_number is not null and (given_number is distinct from known_number)
                then '配布番号 is not that of the child, expected the cell as it was sent'
            when given_year is not null and not list_contains(school_years, given_year)
                then '学年 was changed, expected the cell as it was sent'
            when given_school is not null and not list_contains(schools, given_school)
                then '学校 was changed, expected the cell as it was sent'
            when meeting_date < $reference_date then '会議日 lies before the reference date'
            when meeting_date > read_on
                then '会議日 lay in the future when this file was first read, expected a day up to then'
        end as single_problem
    from named
    join first_readings using (file)
),

compared as (
    select
        *,
        count(distinct decision) filter (single_problem is null) over (
            partition by known_key, meeting_date
        ) as decisions_of_meeting
    from single
)

select
    * exclude (problem, single_problem, decisions_of_meeting, read_on),
    coalesce(
        single_problem,
        case
            when decisions_of_meeting > 1
                then '判定 differs from another row of this child and 会議日, expected one decision a meeting'
        end
    ) as problem
from compared;

-- The same files are read again at every run: only what was not said last of a meeting is new. Nothing is forgotten.
create or replace temp table new_decisions as
with said_last as (
    select *
    from review.decisions
    where reference_date = $reference_date
    qualify row_number() over (partition by child_key, meeting_date order by read_at desc) = 1
),

told as (
    select
        $reference_date::date as reference_date,
        known_key as child_key,
        meeting_date,
        decision,
        reason,
        direction,
        assigned_to,
        decided_by,
        -- of two words of one meeting the cautious one counts, as for releases: a copy of the file is no second word
        bool_and(release) over (partition by known_key, meeting_date) as release,
        file,
        row_number,
        $now::timestamptz as read_at
    from judged_decisions
    where problem is null and not release_only
    qualify row_number() over (partition by known_key, meeting_date order by file desc, sheet desc, row_number desc) = 1
)

select *
from review.decisions
where reference_date = $reference_date
union all by name
select t.*
from told as t
left join said_last as s using (child_key, meeting_date)
where
    s.child_key is null
    or (t.decision, t.reason, t.direction, t.assigned_to, t.decided_by, t.release)
    is distinct from (s.decision, s.reason, s.direction, s.assigned_to, s.decided_by, s.release);

-- 公開可 without 判定: what was said before the meeting, or between two. Of two words of one day the cautious one counts.
create or replace temp table new_releases as
with said_last as (
    select *
    from review.releases
    where reference_date = $reference_date
    qualify row_number() over (partition by child_key, decided_on order by read_at desc) = 1
),

told as (
    select
        $reference_date::date as reference_date,
        known_key as child_key,
        meeting_date as decided_on,
        decided_by,
        release,
        file,
        row_number,
        $now::timestamptz as read_at
    from judged_decisions
    where problem is null and release_only
    qualify
        row_number() over (
            partition by known_key, meeting_date
            order by release, file desc, sheet desc, row_number desc
        ) = 1
)

select *
from review.releases
where reference_date = $reference_date
union all by name
select t.*
from told as t
left join said_last as s using (child_key, decided_on)
where s.child_key is null or (t.decided_by, t.release) is distinct from (s.decided_by, s.release);

create or replace temp table new_rejections as
select
    $reference_date::date as reference_date,
    'decisions' as kind,
    file,
    sheet,
    row_number,
    problem
from judged_decisions
where problem is not null
union all by name
select
    $reference_date::date as reference_date,
    'decisions' as kind,
    file,
    sheet,
    row_number,
    '公開可 is not that of another row of this child and 会議日: not taken, expected one word a meeting' as problem
from judged_decisions
where problem is null and not release_only
qualify release and not bool_and(release) over (partition by known_key, meeting_date)
union all by name
select
    $reference_date::date as reference_date,
    'decisions' as kind,
    *
from rejected_files;
