-- Filled rows of 判定会議 and 判定 -> what is taken, and why the others are not. `returned_decisions` holds the cells as
-- read (decisions.py); a child is named by its 児童キー or by its 配布番号.
create or replace temp table judged_decisions as
-- What the workbook told of a child, now or before a correction: 学年 and 学校 show that a row still stands as it was sent.
with told as (
    select child_key, school_year, school
    from numbered_children
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
        c.child_key as known_key,
        c.sheet_number as known_number,
        s.school_years,
        s.schools
    from returned_decisions as r
    left join numbered_children as c
        on c.child_key = r.given_key or (r.given_key is null and c.sheet_number = r.given_number)
    left join shown as s on s.child_key = c.child_key
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
        coalesce(
            problem,
            unnamed_child(given_key, given_number, known_key, known_number),
            case
                when given_year is not null and not list_contains(school_years, given_year)
                    then '学年 was changed, expected the cell as it was sent'
                when given_school is not null and not list_contains(schools, given_school)
                    then '学校 was changed, expected the cell as it was sent'
            end,
            impossible_day($meeting_date_header, meeting_date, $reference_date::date, read_on)
        ) as single_problem
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

-- One word of each child and day: a decision, or 公開可 without one (what was said before the meeting, or between two).
-- Of two words of one day the cautious one counts, since a copy of the file is no second word.
create or replace temp table said_now as
select
    $reference_date::date as reference_date,
    known_key as child_key,
    meeting_date,
    decision,
    reason,
    direction,
    assigned_to,
    decided_by,
    bool_and(release) over (partition by known_key, meeting_date, release_only) as release,
    release_only,
    file,
    row_number,
    $now::timestamptz as read_at
from judged_decisions
where problem is null
qualify
    row_number() over (
        partition by known_key, meeting_date, release_only
        -- a release is told with the row that said so, a decision with its last row
        order by release_only and release, file desc, sheet desc, row_number desc
    ) = 1;

-- The same files are read again at every run: only what was not said last of a meeting is new. Nothing is forgotten.
create or replace temp table new_decisions as
with said_last as (
    select *
    from review.decisions
    where reference_date = $reference_date
    qualify row_number() over (partition by child_key, meeting_date order by read_at desc) = 1
)

select *
from review.decisions
where reference_date = $reference_date
union all by name
select n.* exclude (release_only)
from said_now as n
left join said_last as s using (child_key, meeting_date)
where
    not n.release_only
    and (
        s.child_key is null
        or (n.decision, n.reason, n.direction, n.assigned_to, n.decided_by, n.release)
        is distinct from (s.decision, s.reason, s.direction, s.assigned_to, s.decided_by, s.release)
    );

create or replace temp table new_releases as
with said_last as (
    select *
    from review.releases
    where reference_date = $reference_date
    qualify row_number() over (partition by child_key, decided_on order by read_at desc) = 1
)

select *
from review.releases
where reference_date = $reference_date
union all by name
select
    n.reference_date,
    n.child_key,
    n.meeting_date as decided_on,
    n.decided_by,
    n.release,
    n.file,
    n.row_number,
    n.read_at
from said_now as n
left join said_last as s on s.child_key = n.child_key and s.decided_on = n.meeting_date
where
    n.release_only
    and (s.child_key is null or (n.decided_by, n.release) is distinct from (s.decided_by, s.release));

create or replace temp table refused_rows as
select file, sheet, row_number, problem
from judged_decisions
where problem is not null
union all by name
select
    file,
    sheet,
    row_number,
    '公開可 is not that of another row of this child and 会議日: not taken, expected one word a meeting' as problem
from judged_decisions
where problem is null
qualify release and not bool_and(release) over (partition by known_key, meeting_date);
