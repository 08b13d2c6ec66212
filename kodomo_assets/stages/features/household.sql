-- 住民記録, 異動履歴: household, moves, sex, nationality.

insert into numbers (child_key, item, value)
select
    child_key,
    'many_children',
    count(*) filter (legal_age < 18)
from household_members
group by child_key;

insert into doubts
select
    u.child_key,
    'many_children'
from unclear_members as u
join numbers as n on n.child_key = u.child_key and n.item = 'many_children'
where may_be(u.unread, 'birth_date', legal_age(u.birth_date, getvariable('reference_date')) < 18)
group by u.child_key, n.value
having n.value + count(distinct u.reading_of) >= lowest_threshold('many_children');

insert into numbers
select
    s.child_key,
    'residential_moves',
    count(*),
    min(m.moved_on)
from spine as s
join delivered_moves as m using (resident_id)
where
    list_contains(words('residential_moves', 'counted'), m.move_type)
    and m.moved_on >= window_start('residential_moves')
    and m.moved_on < getvariable('reference_date')
group by s.child_key;

insert into doubts
select
    s.child_key,
    'residential_moves'
from spine as s
join unclear_moves as u on u.person_ref = s.resident_id
left join numbers as n on n.child_key = s.child_key and n.item = 'residential_moves'
where
    may_be(u.unread, 'move_type', list_contains(words('residential_moves', 'counted'), u.move_type))
    and may_be(
        u.unread,
        'moved_on',
        u.moved_on >= window_start('residential_moves') and u.moved_on < getvariable('reference_date')
    )
group by s.child_key, n.value
having coalesce(n.value, 0) + count(distinct u.reading_of) >= lowest_threshold('residential_moves');

-- 三世代同居: the child's own 続柄 decides two of the three ways; where it is blank only a grandparent decides.
insert into facts (child_key, item, applies, level)
select
    s.child_key,
    'three_generations',
    list_contains(words('three_generations', 'grandchild'), s.relationship)
    or bool_or(list_contains(words('three_generations', 'grandparent'), m.relationship))
    or (
        list_contains(words('three_generations', 'child'), s.relationship)
        and bool_or(list_contains(words('three_generations', 'parent_of_head'), m.relationship))
    ),
    'applicable'
from spine as s
join household_members as m using (child_key)
group by s.child_key, s.relationship;

insert into doubts
select
    child_key,
    'three_generations'
from unclear_members
where
    may_be(unread, 'relationship', list_contains(words('three_generations', 'grandparent'), relationship))
    or (
        list_contains(words('three_generations', 'child'), child_relationship)
        and list_contains(words('three_generations', 'parent_of_head'), relationship)
    );

insert into coded (child_key, item, code)
select
    s.child_key,
    'sex',
    r.sex
from spine as s
join delivered_resident_register as r using (resident_id);

-- A blank 国籍 is Japanese, so one that cannot be read is in doubt.
insert into facts (child_key, item, applies, level)
select
    s.child_key,
    'nationality',
    case
        when list_contains(r.invalid_cells, 'nationality') then null
        else r.nationality is not null and not list_contains(words('nationality', 'japanese'), r.nationality)
    end,
    'foreign'
from spine as s
join delivered_resident_register as r using (resident_id);
