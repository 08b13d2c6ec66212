-- Sheets that came back -> one a child; a 配布番号 that was never given out names no child.
create or replace temp table judged_sheets as
with compared as (
    select
        *,
        -- a workbook has a worksheet a child: a second one is a copy for somebody whose number nobody knows
        count(distinct sheet) over (partition by file, sheet_number) > 1
        and count(
            distinct row(
                appearance,
                submissions,
                forgotten_items,
                lunch,
                friendships,
                contact_with_parents,
                family,
                sibling_care,
                school_support,
                teacher_note,
                concern
            )
        ) over (partition by file, sheet_number) > 1 as copied
    from returned_sheets
)

select
    r.* exclude (problem, copied),
    l.child_key,
    c.school_code,
    case
        when r.problem is not null then r.problem
        when l.child_key is null
            then
                '配布番号 is of nobody on this list, expected one that was sent '
                || '(a correction may have taken the child off it)'
        when r.copied
            then '配布番号 stands on two sheets of the file with other answers, expected the sheet that was sent for each child'
        when r.filled_on < $reference_date then '記入日 lies before the reference date'
        when r.filled_on > f.read_on
            then '記入日 lay in the future when this file was first read, expected a day up to then'
    end as problem
from compared as r
join first_readings as f using (file)
left join review.meeting_list as l
    on l.reference_date = $reference_date and l.sheet_number = r.sheet_number
left join linkage.children as c
    on c.reference_date = $reference_date and c.child_key = l.child_key;

create or replace temp table new_personal_sheets as
select
    $reference_date::date as reference_date,
    * exclude (file, sheet, row_number, sheet_number, problem) replace (concern::integer as concern)
from judged_sheets
where problem is null
qualify
    row_number() over (
        partition by child_key
        order by filled_on desc nulls last, file desc, sheet desc, row_number desc
    ) = 1;

-- What was read before and stands in no file now: somebody took it away, or it is refused. It leaves, and is said.
create or replace temp table gone_children as
select distinct child_key
from review.personal_sheets
where reference_date = $reference_date and child_key not in (select n.child_key from new_personal_sheets as n);

create or replace temp table new_rejections as
select
    $reference_date::date as reference_date,
    'personal_sheets' as kind,
    file,
    sheet,
    row_number,
    problem
from judged_sheets
where problem is not null
union all by name
select
    $reference_date::date as reference_date,
    'personal_sheets' as kind,
    *
from rejected_files;
