-- Why a 開示 stops until a second role confirms it; `subject_numbers` says who it is about (store.subjects), and
-- `own_consultations` holds the rows of 児童相談記録 about it.
create or replace temp table care as
with own_keys as (
    select number as child_key
    from subject_numbers
    where kind = 'child_key'
),

own_households as (
    select
        number as household_id,
        reference_date
    from subject_numbers
    where kind = 'household_id'
),

protected as (
    select 1
    from sources.resident_register as r
    join own_households as h using (household_id, reference_date)
    where r.protection
    union all
    select 1
    from linkage.children as c
    join subject_numbers as n on n.kind = 'child_key' and n.number = c.child_key
    where c.protected
),

-- what 名寄せ確認 asked about and nobody called another person's may be the person's
candidates as (
    select
        table_name,
        person_ref
    from linkage.review
    where child_key in (from own_keys)
    union
    select
        table_name,
        person_ref
    from linkage.asked
    where child_key in (from own_keys)
    except
    select
        table_name,
        person_ref
    from linkage.answers
    where child_key in (from own_keys)
    group by
        table_name,
        person_ref
    having arg_max(answer, read_at) = 'different'
),

consultations as (
    from own_consultations
    union all by name
    select s.*
    from sources.child_consultations as s
    semi join candidates as c on c.table_name = 'child_consultations' and c.person_ref = s.consultation_id
),

-- a consultation is as it was delivered last
last_told as (
    select
        consultation_type,
        closed_on
    from consultations
    qualify row_number() over (partition by consultation_id order by reference_date desc, source_row desc) = 1
),

-- what nobody could read may be one; 終結日 of a day to come is no end yet
open_abuse as (
    select 1
    from last_told
    where
        (consultation_type is null or list_contains($abuse, consultation_type))
        and (closed_on is null or closed_on > $today)
    union all
    -- SSW相談記録 says of no case that it has ended
    select 1
    from sources.ssw_records as s
    join subject_numbers as n
        on
            n.kind = 'person_ref'
            and n.table_name = 'ssw_records'
            and n.number = s.record_id
            and n.reference_date = s.reference_date
    where s.consultation_type is null or list_contains($abuse, s.consultation_type)
    union all
    select 1
    from sources.ssw_records as s
    semi join candidates as c on c.table_name = 'ssw_records' and c.person_ref = s.record_id
    where s.consultation_type is null or list_contains($abuse, s.consultation_type)
)

select
    exists(from protected) as is_protected,
    exists(from open_abuse) as has_open_abuse;
