"""Delivery by message batch: half price, collected by this run or a later one."""
