-- 支援記録 -> support of the children of a reference date; a child is named by its 児童キー or by its 配布番号.
create or replace temp table judged_support as
select
    r.* exclude (problem),
    c.child_key,
    case
        when r.problem is not null then r.problem
        when r.given_key is null and r.given_number is null
            then '児童キー and 配布番号 are blank, expected one of them'
        when c.child_key is null then 'child unknown at this reference date, expected a 児童キー or 配布番号 of it'
        when r.given_key is not null and r.given_number is not null and r.given_number is distinct from c.sheet_number
            then '児童キー and 配布番号 are of two children, expected those of one'
        when r.given_on < $reference_date then '実施日 lies before the reference date'
        when r.given_on > $today then '実施日 lies in the future, expected a day up to today'
    end as problem
from returned_support as r
left join (
    select
        c.child_key,
        coalesce(l.sheet_number, n.sheet_number) as sheet_number
    from linkage.children as c
    left join review.meeting_list as l using (reference_date, child_key)
    left join sheet_numbers as n using (child_key)
    where c.reference_date = $reference_date
) as c
    on c.child_key = r.given_key or (r.given_key is null and c.sheet_number = r.given_number);

-- The same record in two files is one record.
create or replace temp table new_support as
select distinct
    $reference_date::date as reference_date,
    child_key,
    given_on,
    kind,
    outcome,
    step
from judged_support
where problem is null;

create or replace temp table new_rejections as
select
    $reference_date::date as reference_date,
    'support' as kind,
    file,
    sheet,
    row_number,
    problem
from judged_support
where problem is not null
union all by name
select
    $reference_date::date as reference_date,
    'support' as kind,
    *
from rejected_files;
