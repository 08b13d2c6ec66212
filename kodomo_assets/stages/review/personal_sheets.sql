-- Sheets that came back -> one a child; a 配布番号 that was never given out names no child.
create or replace temp table judged_sheets as
select
    r.* exclude (problem),
    l.child_key,
    c.school_code,
    case
        when r.problem is not null then r.problem
        when l.child_key is null then '配布番号 is none of this reference date, expected one that was sent'
        when r.filled_on < $reference_date then '記入日 lies before the reference date'
        when r.filled_on > $today then '記入日 lies in the future, expected a day up to today'
    end as problem
from returned_sheets as r
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
