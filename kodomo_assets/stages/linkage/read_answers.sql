-- The filled rows of 名寄せ確認: which are taken, and what was read from this folder before.

-- What a person was ever asked, as far as the database knows. The first edition kept no history of it: of its questions
-- those that are open still stand in linkage.review, and those that were answered in linkage.answers.
create or replace temp table asked_before as
select
    table_name,
    person_ref,
    child_key
from linkage.asked
where reference_date <= $reference_date
union
select
    table_name,
    person_ref,
    child_key
from linkage.review
where reference_date <= $reference_date
union
select
    table_name,
    person_ref,
    child_key
from linkage.answers
where reference_date <= $reference_date;

create or replace temp table refused_before as
select
    sha256,
    sheet,
    row_number,
    problem as refused_because
from linkage.refused_answers
where reference_date = $reference_date;

create or replace temp table judged_answers as
with known as (
    select
        f.* exclude (problem),
        f.problem is null as was_whole,
        case
            when f.problem is not null then f.problem
            when r.refused_because is not null then r.refused_because
            when f.asked_on > $reference_date
                then
                    '表ID・番号・児童キー are a pair that was asked at a later reference date, expected the file in the '
                    || 'folder of that date'
            when
                f.asked_on is null
                and not exists (
                    from asked_before as a
                    where
                        a.table_name = f.table_name
                        and a.person_ref = f.person_ref
                        and a.child_key = f.child_key
                )
                then
                    '表ID・番号・児童キー are no pair that was asked: the row has no 確認符号 and no such question is '
                    || 'on record, expected the cells as they were sent; take the answer over into the newest '
                    || $kind
            when f.decided_on > $today then '判定日 lies in the future, expected a day up to today'
        end as problem
    from filled as f
    left join refused_before as r using (sha256, sheet, row_number)
),

counted as (
    select
        *,
        count(distinct answer) filter (problem is null) over (
            partition by table_name, person_ref, child_key, decided_on
        ) as answers_to_pair,
        count(distinct child_key) filter (problem is null and answer = 'same') over (
            partition by table_name, person_ref, decided_on
        ) as children_of_person
    from known
)

select
    * exclude (problem, answers_to_pair, children_of_person, was_whole),
    -- what depends on what was asked and on the day of reading is remembered; all else the file itself says again
    c.was_whole and c.problem is not null as is_lasting,
    case
        when problem is not null then problem
        when answers_to_pair > 1 then '判定 differs from that of another row of this pair, expected one answer'
        when
            answer = 'same'
            and table_name = 'school_roster'
            and exists (
                from counted as o
                join sources.school_roster as theirs on theirs.pupil_id = o.person_ref
                join sources.school_roster as mine
                    on mine.pupil_id = c.person_ref and mine.reference_date = theirs.reference_date
                where
                    o.problem is null
                    and o.answer = 'same'
                    and o.table_name = 'school_roster'
                    and o.child_key = c.child_key
                    and o.decided_on = c.decided_on
                    and o.person_ref <> c.person_ref
            )
            then '判定 is 同一 for two numbers of one delivery and one child, expected one at most'
        when answer = 'same' and children_of_person > 1
            then '判定 is 同一 for two children of one 組, expected one at most'
    end as problem
from counted as c;

-- The same file is read at every refresh: only what was not said last of a day is new.
create or replace temp table said_last as
select *
from linkage.answers
where reference_date = $reference_date
qualify
    rank() over (
        partition by table_name, person_ref, child_key, decided_on
        order by read_at desc
    ) = 1;

create or replace temp table new_answers as
select *
from linkage.answers
where reference_date = $reference_date
union all by name
select
    $reference_date::date as reference_date,
    j.table_name,
    j.person_ref,
    j.child_key,
    j.answer,
    j.decided_by,
    j.decided_on,
    j.file,
    j.row_number,
    $now::timestamptz as read_at
from judged_answers as j
anti join said_last as known
    on
        known.table_name = j.table_name
        and known.person_ref = j.person_ref
        and known.child_key = j.child_key
        and known.decided_on = j.decided_on
        and known.answer = j.answer
        and known.decided_by = j.decided_by
where j.problem is null
qualify
    row_number() over (
        partition by j.table_name, j.person_ref, j.child_key, j.answer, j.decided_by, j.decided_on
        order by j.file, j.row_number
    ) = 1;

create or replace temp table new_refused_answers as
select *
from linkage.refused_answers
where reference_date = $reference_date
union all by name
select
    $reference_date::date as reference_date,
    j.file,
    j.sha256,
    j.sheet,
    j.row_number,
    j.problem,
    $now::timestamptz as read_at
from judged_answers as j
anti join refused_before using (sha256, sheet, row_number)
where j.is_lasting
-- one content under two names
qualify row_number() over (partition by j.sha256, j.sheet, j.row_number order by j.file) = 1;
