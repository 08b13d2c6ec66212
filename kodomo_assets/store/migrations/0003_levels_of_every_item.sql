-- The matrix is a pivot of features.levels: what stood in it is the truth of its dates. What each level came from was
-- not kept.
create table if not exists features.levels (
    reference_date date not null,
    child_key varchar not null,
    item varchar not null,
    level varchar not null,
    cause varchar
);

insert into features.levels
select reference_date, child_key, item, level, null as cause
from (
    unpivot features.matrix
    on columns(* exclude (reference_date, child_key)) into name item value level
);
