-- 住民記録, 異動履歴: household, moves, sex, nationality.

insert into numbers
select
    child_key,
    'many_children',
    count(*) filter (legal_age < 18)
from household_members
group by child_key;

insert into numbers
select
    s.child_key,
    'residential_moves',
    count(*)
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
join doubted using (resident_id)
where doubted.table_name = 'moves';

-- 三世代同居: the child's own 続柄 decides two of the three ways; where it is blank only a grandparent decides.
insert into facts
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

insert into coded
select
    s.child_key,
    'sex',
    r.sex
from spine as s
join delivered_resident_register as r using (resident_id);

-- A blank 国籍 is Japanese, so one that cannot be read is in doubt.
insert into facts
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
