"""Background threads of the window: tasks, queues of tasks, and what happens to those that hang."""
