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
    c.child_key,
    c.school_code,
    f.read_on,
    coalesce(
        case
            when r.problem is not null
                then r.problem
            when c.child_key is null
                then
                    '配布番号 is of nobody on this list, expected one that was sent '
                    || '(a correction or 利用停止 may have taken the child off it)'
            when r.copied
                then
                    '配布番号 stands on two sheets of the file with other answers, '
                    || 'expected the sheet that was sent for each child'
        end,
        impossible_day($filled_on_header, r.filled_on, $reference_date::date, f.read_on)
    ) as problem
from compared as r
join first_readings as f using (file)
left join (
    select n.child_key, n.school_code, n.sheet_number
    from numbered_children as n
    join review.meeting_list as l
        on l.reference_date = $reference_date and l.child_key = n.child_key
) as c on c.sheet_number = r.sheet_number;

-- of each child the sheet that counts, which is the first
create or replace temp table sheets_in_order as
select
    *,
    [
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
    ] as answers,
    row_number() over (
        partition by child_key
        order by filled_on desc nulls last, file desc, sheet desc, row_number desc
    ) as place
from judged_sheets
where problem is null;

create or replace temp table new_personal_sheets as
select
    $reference_date::date as reference_date,
    * exclude (file, sheet, row_number, sheet_number, problem, answers, place)
    replace (concern::integer as concern)
from sheets_in_order
where place = 1;

create or replace temp table refused_rows as
select file, sheet, row_number, problem
from judged_sheets
where problem is not null
union all
-- nothing says which of two of one day is the later one: the one that does not count is told
select
    o.file,
    o.sheet,
    o.row_number,
    'another sheet of the same child and the same 記入日 has other answers, and that one counts ('
    || f.file || '); expected one of them: take the old one away, or write the later 記入日' as problem
from sheets_in_order as o
join sheets_in_order as f on f.child_key = o.child_key and f.place = 1
where
    o.place > 1
    and o.filled_on is not distinct from f.filled_on
    and o.answers is distinct from f.answers;
