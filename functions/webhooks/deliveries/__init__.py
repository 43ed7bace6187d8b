"""The API of deliveries: lists, one delivery with its attempts, and redelivery."""
