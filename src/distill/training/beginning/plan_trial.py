"""How a run computes: as it did so far, or chosen by a trial on a copy of its network; the same in all processes."""

import copy
from dataclasses import replace
from typing import Any

import torch
from torch import nn
from torch.optim import AdamW

from distill.events import PreparationProgress, TrainingNotice
from distill.training.beginning.training_data import spread_items
from distill.training.compute_plan import ComputePlan, choose_plan, stored_plan
from distill.training.run import OpenedRun, TrainingData
from distill.training.steps.training_step import TrainingStep, step_randomness


def common_plan(opened: OpenedRun, data: TrainingData, model: nn.Module) -> ComputePlan:
    """Return the compute plan of all processes, which the first one chooses."""
    chosen: list[ComputePlan] = []

    def choose() -> dict[str, Any]:
        chosen.append(_compute_plan(opened, data, model))
        return chosen[0].to_dict()

    told = opened.ranks.on_first(choose)
    return chosen[0] if chosen else ComputePlan.from_dict(told)


def _compute_plan(opened: OpenedRun, data: TrainingData, model: nn.Module) -> ComputePlan:
    """Return the compute plan: that of the run so far, or one chosen by a trial on a copy of the network."""
    state = (opened.checkpoint or {}).get("training_state") or {}
    known = state.get("speed", opened.record.speed)
    if known != {} and (stored := stored_plan(known, opened.request.resume_checkpoint)) is not None:
        plan = stored.changed_by(opened.config)
        if opened.config.num_threads == "auto" and opened.record.speed.get("processes", 1) != opened.ranks.size:
            threads = torch.get_num_threads()  # that number was right for another number of processes
            plan = replace(plan, num_threads=threads, why=f"{plan.precision}, for {opened.ranks.size} processes")
    else:
        plan = _choose_by_trial(opened, data, model)
        opened.emit(TrainingNotice("speed", f"Computing in {plan.why}.", "info"))
    opened.record.speed = {**opened.record.speed, **plan.to_dict(), "processes": opened.ranks.size}
    return plan


def _choose_by_trial(opened: OpenedRun, data: TrainingData, model: nn.Module) -> ComputePlan:
    config, family = opened.config, opened.family
    items = spread_items(len(data.train_set), config.batch_size)
    batch = next(data.train_set.batches(items, config.batch_size)).to(opened.device)
    weights = family.weights(1.0)
    steps: dict[tuple[str, bool], TrainingStep] = {}

    def step_of(plan: ComputePlan) -> TrainingStep:
        key = (plan.precision, plan.channels_last)
        if key not in steps:
            twin = plan.prepare_model(copy.deepcopy(model)).train()
            optimizer = AdamW([p for p in twin.parameters() if p.requires_grad], lr=1e-4, fused=True)
            steps[key] = TrainingStep(family, twin, optimizer, 1.0, plan)
        return steps[key]

    def step(plan: ComputePlan, chunks: int) -> None:
        opened.request.check_paused()
        with step_randomness(config.seed, 0, 0, opened.device):
            step_of(plan)(plan.layout(batch[:chunks]), weights, 0)

    opened.emit(PreparationProgress("Measuring your computer", 0, 1))
    subject = f"{family.feature_key()} {type(model).__name__} {batch.shape}"
    return choose_plan(config, opened.device, step, len(batch), subject, config.max_epochs * len(data.train_set.layout))
