-- The files in which the person stands or may have stood, and who was given them; review.exports knows how many children
-- a file tells of and not which. `subject_numbers` says who it is about (store.subjects).
create or replace temp table own_files as
with own as (
    select number as child_key
    from subject_numbers
    where kind = 'child_key'
),

listed as (
    select
        l.reference_date,
        l.school
    from review.listed_children as l
    semi join own using (child_key)
    union
    select
        m.reference_date,
        s.school_name as school
    from review.meeting_list as m
    semi join own using (child_key)
    join linkage.children as c using (reference_date, child_key)
    left join linkage.schools as s using (reference_date, school_code)
),

-- a protected child is named to its school only where the meeting said so
released as (
    select r.reference_date
    from review.releases_in_force as r
    semi join own using (child_key)
    where r.release
),

told as (
    select
        d.reference_date,
        s.school_name as school
    from review.decisions_in_force as d
    semi join own using (child_key)
    join linkage.children as c using (reference_date, child_key)
    left join linkage.schools as s using (reference_date, school_code)
    where
        list_contains($told, d.decision)
        and (not c.protected or d.reference_date in (from released))
),

asked as (
    select a.reference_date
    from linkage.asked as a
    semi join own using (child_key)
)

select
    e.reference_date,
    e.kind,
    e.file,
    e.exported_at,
    case
        when e.kind in ($sheet, $list)
            then regexp_extract(regexp_replace(e.file, $class_file || '$', '.xlsx'), '_(.*)[.][a-z]+$', 1)
        else $centre
    end as recipient
-- a line without a fingerprint tells of a file that is not made any more
from (from review.exports where fingerprint <> '') as e
where
    (e.kind in ($meeting, $keys) and e.reference_date in (select reference_date from listed))
    or (
        e.kind = $sheet
        and exists (
            from listed as l
            where
                l.reference_date = e.reference_date
                and (
                    starts_with(e.file, $sheet || '_' || l.school || '.')
                    or (
                        starts_with(e.file, $sheet || '_' || l.school)
                        -- of a class: the child may have stood in the file of any
                        and regexp_full_match(substr(e.file, length($sheet || '_' || l.school) + 1), $class_file)
                    )
                )
        )
    )
    or (
        e.kind = $list
        and exists (
            from told as t
            where t.reference_date = e.reference_date and starts_with(e.file, $list || '_' || t.school || '.')
        )
    )
    or (e.kind = $review and e.reference_date in (from asked))
order by
    e.reference_date,
    e.exported_at,
    e.file;
