"""Drivers: register maps as data, and what data cannot say."""
