-- Of weights of many cities a share of few children here is not told.
alter table if exists weights.model_cards alter column negative_fitted_share drop not null;
