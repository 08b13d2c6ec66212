-- Whether a word may be somebody's name: it is part of one, holds a part of one, or nobody's names are known.
with names as (
    select distinct unnest([name, name_kana]) as name
    from sources.resident_register
    where reference_date = (
        select max(reference_date)
        from sources.resident_register
        where reference_date <= $reference_date
    )
),

parts as (
    select
        regexp_replace(name, '[\s\pZ]', '', 'g') as whole,
        regexp_split_to_array(name, '[\s\pZ]+') as parts
    from names
    where name is not null
)

select
    count(*) = 0
    or bool_or(
        contains(whole, $word)
        or list_bool_or(list_transform(parts, lambda part: length(part) >= 2 and contains($word, part)))
    )
from parts
